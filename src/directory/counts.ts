/**
 * counts — what the directory counts: what it refused, by reason, and what it did.
 */

// biome-ignore format: a table
export const DIRECTORY_COUNTS = {
  malformed:        "Messages of the directory that are not as its engine writes them.",
  commandRefused:   "Requests with a command that is not on the list.",
  notServing:       "Requests to a member that stores nothing for others.",
  quota:            "Requests of a node that asks more than 50 times a second.",
  unasked:          "Answers to nothing that was asked, of another than who was asked, or that came twice.",
  namesFull:        "Requests of nodes that there was no room to keep a quota for.",
  tooLong:          "Messages of our own that were longer than a datagram, and were not sent.",
  unreachable:      "Messages of our own to a node that there is no channel with.",
  failed:           "Messages at which the directory's engine failed.",
  queriesFull:      "Look-ups and publications that were not begun, since too many were under way.",
  pairInvalid:      "Certificates and records that cannot be read, do not belong together, or that nobody who may has signed.",
  targetWrong:      "Records offered for a target that their certificate does not give them.",
  certificateTime:  "Certificates that have expired, or do not count yet.",
  certificateRevoked: "Certificates of nodes that are revoked, or that a revoked issuer signed.",
  recordOld:        "Records that are older than the one that is held.",
  recordExpired:    "Records that have expired.",
  recordAhead:      "Records from the future.",
  storeFull:        "Records of nodes that there was no room to store.",
  recordsTaken:     "Records that were stored.",
  recordsDropped:   "Records that were stored, and had expired or whose certificate did not count any more.",
  answered:         "Look-ups of others that were answered with a record.",
} as const satisfies Readonly<Record<string, string>>;

export type DirectoryCount = keyof typeof DIRECTORY_COUNTS;

/** Counts one, or several. */
export type Count = (what: DirectoryCount, many?: number) => void;
