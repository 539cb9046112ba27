/**
 * ages — how long ago, or how far apart, as people say it.
 */
const DAY_S = 86_400;

/** "3 d", "5 h", "7 min", "12 s". */
export const formatAge = (seconds: number): string => {
  const s = Math.max(0, Math.round(seconds));
  if (s >= 2 * DAY_S) return `${Math.round(s / DAY_S)} d`;
  if (s >= 7_200) return `${Math.round(s / 3_600)} h`;
  return s >= 120 ? `${Math.round(s / 60)} min` : `${s} s`;
};
