/**
 * service-counts — what a callee refuses of callers, by name, and what it did.
 */

// biome-ignore format: a table
export const SERVICE_COUNTS = {
  openInvalid:        "OPENs that say nothing that is understood.",
  pairOfAnother:      "Pairs of somebody else than who brought them: another handshake key, or another node.",
  pairRate:           "Pairs that were not verified, since the caller has had its share.",
  callersCut:         "Callers whose certificate did not count any more.",
  answerRate:         "Answers that were not given, since the caller has had its share.",
  asksRate:           "Questions that others were not asked, since the caller has had its share.",
  asksFull:           "Questions that were not looked up, since too many were under way.",
  asksAnswered:       "Questions that were answered with a record.",
  shown:              "Members that were shown to others.",
  forwarded:          "Messages that were passed on to a caller.",
  forwardUnknown:     "Messages to pass on to somebody who is not there.",
  forwardRate:        "Messages of one to the same other within two seconds.",
  notified:           "Callers that were told of a newer list or definition.",
  pieceUnwanted:      "Pieces of what nobody asked for.",
  listTaken:          "Newer lists of revocations that hold now.",
  listInvalid:        "Lists that a caller brought, and that the authority did not sign, or that are not newer.",
  definitionTaken:    "Newer definitions that hold now.",
  definitionInvalid:  "Definitions that a caller brought, and that do not follow the one here.",
  pullsEnded:         "Lists and definitions that a caller said it had, and did not bring.",
  tokensRefused:      "Invitations of callers that may not enrol.",
  tokensFull:         "Invitations for which there was no room.",
  joinUnknown:        "Wishes to join by an invitation that nobody here knows.",
  joinFull:           "Wishes to join for which there was no room.",
  joinsKept:          "Wishes to join that were kept.",
  joinAnswerUnknown:  "Answers to a wish to join that is not here, or that is another enroller's.",
  directoryBusy:      "Messages of the directory that were not looked into, since callers together said too many.",
  directoryRefused:   "Messages of the directory that meant nothing, or to who serves none.",
} as const satisfies Readonly<Record<string, string>>;

export type ServiceCount = keyof typeof SERVICE_COUNTS;
export type CountService = (what: ServiceCount, amount?: number) => void;
