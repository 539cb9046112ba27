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
  channelInvalid:   "Datagrams of types 10 and 14 that are no channel's, or of a version that is not known here.",
  channelUnexpected: "Datagrams of channels that nobody has with us: late ones, and forged ones.",
  channelRate:      "Answers to calls that came faster than they are looked into.",
  channelForged:    "Datagrams of our channels that did not authenticate, or came twice.",
  indexOther:       "Index nodes that are another than the one that the configuration, or first contact, names.",
  indexInvalid:     "Messages of index nodes that are not as their kind has to be.",
  indexRate:        "Messages of index nodes that came faster than they are looked into.",
  indexWrong:       "What index nodes said and is not so: places where nobody can be, wholes that no authority signed, pairs that nobody asked for.",
  indexesLost:      "Index nodes that fell silent and were called again.",
  forwardsSent:     "Members that were asked through an index node to call us.",
  forwardsTaken:    "Members that asked so and were called.",
  forwardRefused:   "Wishes to be called that were none, of nobody who is a member, or too many.",
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
  fileDamaged:      "Files of the network's state that were damaged: it went on without them.",
  recordsTaken:     "Records of members that were taken.",
  recordsIssued:    "Records of our own.",
  membersCut:       "Members whose sessions were ended because they are revoked.",
  neighboursLost:   "Neighbours that fell silent and were replaced.",
  clonesSeen:       "Records under our own key that another process issued.",
  clockHeld:        "Jumps of the system's clock that were held back.",
} as const satisfies Readonly<Record<string, string>>;

export type CountName = keyof typeof NETWORK_COUNTS;
