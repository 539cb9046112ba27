/**
 * inviting — a person asks this host, as an enroller, for an invitation. Thread: control.
 */
import { formatToken, TOKEN_PLACES_MAX } from "../../members/token.ts";
import { formatEndpoint, type NetworkConfig } from "../../schema/config.ts";
import { EngineError } from "../../schema/errors.ts";
import type { InviteRequest, InviteValue } from "../../schema/invite.ts";
import { formatAddress } from "../../wire/cidr.ts";
import { formatSockaddr } from "../../wire/sockaddr.ts";
import type { Control } from "../control.ts";
import type { Office } from "../network/office.ts";

/** Where joiners may find this host: as it says, or at its own addresses. */
const ownPlaces = (office: Office, asked: readonly string[]): string[] => {
  const own = asked.length > 0 ? asked : office.places.flatMap((one) => formatSockaddr(one) ?? []);
  return own.slice(0, TOKEN_PLACES_MAX);
};

/**
 * Makes one. `name`: of the engine.
 *
 * Errors: EngineError NO_NETWORK, NOT_INVITED.
 */
export const invite = (
  { network }: Pick<Control, "network">,
  config: NetworkConfig | null,
  request: InviteRequest,
  name: string,
): InviteValue => {
  if (network === null || config === null) throw new EngineError("NO_NETWORK", { name });
  const { office } = network.certification;
  if (office === null) {
    const reason = "this host is no issuer; name its file by `issuer` in [network]";
    throw new EngineError("NOT_INVITED", { reason });
  }
  const places = ownPlaces(office, request.places);
  const indexes = config.index.slice(0, TOKEN_PLACES_MAX).map(({ nodeKey, endpoint }) => ({
    nodeKey,
    place: formatEndpoint(endpoint),
  }));
  if (places.length + indexes.length === 0) {
    const reason = "nobody could be asked: this host has no address; give one by --endpoint";
    throw new EngineError("NOT_INVITED", { reason });
  }
  const promised = office.invite(request);
  if (!promised.ok) throw new EngineError("NOT_INVITED", { reason: promised.why });
  const { nodeKey } = network.parts.certificate;
  const enrollers = places.length === 0 ? [] : [{ nodeKey, places }];
  const { value } = promised;
  const token = formatToken({ ...value, indexes, enrollers });
  return {
    token,
    network: value.network,
    name: value.name,
    addresses: value.addresses.map(formatAddress),
    groups: request.groups,
    expiresS: value.expiresS,
    indexes: indexes.map(({ place }) => place),
    enrollers: places,
  };
};
