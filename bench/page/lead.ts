/**
 * lead — the result of a run in a few sentences: what a reader sees first.
 */
import { looksOf } from "../charts/looks.ts";
import type { Row } from "../report.ts";
import { none } from "../rivals/none.ts";
import { RIVAL } from "../scenario/goals.ts";

const mbps = (value: number): string => Math.round(value).toLocaleString("en");

/** "ours, AES, Node 20 773 of 805 Mbit/s (96 %)", by what is kept; none without both figures. */
const keptUnder = (rows: readonly Row[], load: number): string[] => {
  const figure = (id: string, attackMbps: number): number | null =>
    rows.find((row) => row.id === id && row.attackMbps === attackMbps)?.throughputMbps ?? null;
  return looksOf(rows)
    .filter(({ id }) => id !== none.id)
    .flatMap(({ id, label, own }) => {
      const [calm, flooded] = [figure(id, 0), figure(id, load)];
      if (calm === null || flooded === null || calm <= 0) return [];
      return [{ own, label, calm, flooded, kept: flooded / calm }];
    })
    .sort((x, y) => y.kept - x.kept)
    .map(({ own, label, calm, flooded, kept }) => {
      const share = `${Math.round(100 * kept)} %`;
      const text = `${label} ${mbps(flooded)} of ${mbps(calm)} Mbit/s (${share})`;
      return own ? `**${text}**` : text;
    });
};

const paperLead = (rows: readonly Row[]): string[] => {
  const own = rows.filter(
    ({ scenario, work, class: kind }) =>
      scenario === "paper" && work === "tcp" && (kind === null || kind === "junk"),
  );
  const load = Math.max(0, ...own.map(({ attackMbps }) => attackMbps));
  const kept = load === 0 ? [] : keptUnder(own, load);
  if (kept.length === 0) return [];
  const what = `a flood of ${mbps(load)} Mbit/s of junk towards the server, or towards our index`;
  return [`What one TCP stream keeps under ${what}: ${kept.join("; ")}.`];
};

const speedLead = (rows: readonly Row[]): string[] => {
  const own = rows.filter((row) => row.scenario === "speed" && row.work === "tcp1");
  const rival = own.find(({ id }) => id === RIVAL)?.throughputMbps ?? null;
  if (rival === null || rival <= 0) return [];
  const told = looksOf(own).flatMap(({ id, own: ours, label }) => {
    const value = own.find((row) => row.id === id)?.throughputMbps ?? null;
    return ours && value !== null ? [`**${label} ${(value / rival).toFixed(2)} ×**`] : [];
  });
  return told.length === 0
    ? []
    : [`Without a flood, one TCP stream beside wireguard-go's: ${told.join("; ")}.`];
};

/** Markdown; "" where no scenario has a result that can be told so. */
export const leadOf = (rows: readonly Row[]): string =>
  [...paperLead(rows), ...speedLead(rows)].join("\n\n");
