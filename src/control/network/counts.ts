/**
 * counts — what the network counts: what it refused, by reason, and what it did.
 *
 * Who was refused, why and how often stands by name in refusals.ts; these are the sums.
 */

// biome-ignore format: a table
export const NETWORK_COUNTS = {
  frameInvalid:     "Frames of members that are not as their kind has to be.",
  frameStranger:    "Frames of a peer that is no member any more.",
  recordOld:        "Records that are no newer than the one that is held: also those that somebody sent again.",
  recordUnwanted:   "Records that nobody asked for.",
  recordExpired:    "Records that have expired.",
  recordAhead:      "Records from the future: their member's clock, or ours, is wrong.",
  recordInvalid:    "Records that cannot be read, or that their node did not sign.",
  certificateInvalid: "Certificates that cannot be read, or that no authority of the network signed.",
  certificateTime:  "Certificates that have expired, or do not count yet.",
  certificateRevoked: "Certificates of nodes that are revoked, or that a revoked issuer signed.",
  keyConflict:      "Certificates of two nodes with one handshake key: both are refused.",
  addressConflict:  "Addresses that two certificates hold: the newer of the authority's has it.",
  routeRefused:     "Prefixes that a member announces and its certificate, the network's ranges or accept_routes do not hold.",
  indexOther:       "Index nodes that are another than the one that the configuration, or first contact, names.",
  indexInvalid:     "Messages of index nodes that are not as their kind has to be.",
  indexRate:        "Messages of index nodes that came faster than they are looked into.",
  indexWrong:       "What index nodes said and is not so: places where nobody can be, wholes that no authority signed, pairs that nobody asked for.",
  indexesLost:      "Index nodes that fell silent and were called again.",
  forwardsSent:     "Members that were asked through an index node to call us.",
  forwardsTaken:    "Members that asked so and were called.",
  forwardRefused:   "Wishes to be called that were none, of nobody who is a member, or too many.",
  seeks:            "Addresses of the network that nobody here is known to have, and that were asked for.",
  seeksFound:       "Those of them whose member was found.",
  seeksFailed:      "Those that nobody knew.",
  seeksBusy:        "Those that were not asked for, since too many were.",
  bootstrapOther:   "Members that answered at an address of bootstrap that another is named for.",
  membersFull:      "Members that there was no room to know.",
  entriesFull:      "Members that there was no entry for in the peers' table.",
  checksFull:       "Records that had to be left out, since too many waited to be verified.",
  wantsFull:        "Records that were not asked for at once, since too many were under way.",
  rangesFull:       "Ranges of a member that were not compared with what is held: it says too many.",
  wantTimeouts:     "Records that were asked for and did not come.",
  owedFull:         "Wants that were not answered, since too many were owed to one member.",
  piecesInvalid:    "Pieces of a revocation list that fit no list.",
  listInvalid:      "Revocation lists that are not the authority's.",
  listOld:          "Revocation lists that are no newer than the one that is held.",
  secretInvalid:    "Secrets of the network that are not those that the list speaks of.",
  definitionInvalid: "Definitions of the network that may not take the place of the one that is held.",
  joinUnknown:      "Requests to join with an invitation that this host did not make.",
  joinInvalid:      "Requests to join that were not sealed by their invitation's secret, or are none.",
  joinsRefused:     "Requests to join that were answered by a refusal: the invitation was used, or is over.",
  joinsSigned:      "Requests to join that were answered by a certificate.",
  renewalsGiven:    "Certificates of members that this host renewed.",
  renewalsRefused:  "Wishes of members to be renewed that were refused.",
  renewalInvalid:   "Renewed certificates that are not what this host had, or not the network's.",
  renewals:         "Renewals of this host's own certificate.",
  fileDamaged:      "Files of the network's state that were damaged: it went on without them.",
  recordsTaken:     "Records of members that were taken.",
  recordsIssued:    "Records of our own.",
  membersCut:       "Members whose sessions were ended because they are revoked.",
  neighboursLost:   "Neighbours that fell silent and were replaced.",
  clonesSeen:       "Records under our own key that another process issued.",
  clockHeld:        "Jumps of the system's clock that were held back.",
} as const satisfies Readonly<Record<string, string>>;

/** What is refused of channels, datagram by datagram: each is a drop (memory/layout.ts). */
export type ChannelCount = "channelInvalid" | "channelUnexpected" | "channelRate" | "channelForged";

export type CountName = keyof typeof NETWORK_COUNTS;
