/**
 * own-report — what we say of ourselves to whom we open a channel: proof that we know the network,
 * and a REPORT. Thread: control.
 */
import type { KnockProof } from "../../directory/card.ts";
import { PROOF } from "../../wire/channel.ts";
import { encodeReport } from "../../wire/index-messages.ts";
import type { Parts } from "./parts.ts";

/** With the newest secret: an index node takes any, and a member that stores takes no other. */
export const knockProof = ({ authority }: Pick<Parts, "authority">): KnockProof => {
  const held = authority.secrets.newest;
  if (held === null) return { proof: PROOF.none, low: 0, key: null };
  return { proof: PROOF.secret, low: held.epoch & 0xff, key: held.knockKey };
};

/** `others`: show us some members. Null: there is no record of ours yet. */
export const ownReport = (
  { authority, ownRecord }: Pick<Parts, "authority" | "ownRecord">,
  withPair: boolean,
  others: boolean,
): Uint8Array | null => {
  const { statement } = ownRecord;
  if (statement === null) return null;
  const { certificate, record, sequence } = statement;
  return encodeReport({
    others,
    sequence,
    standings: authority.standings,
    pair: withPair ? { certificate, record } : null,
  });
};
