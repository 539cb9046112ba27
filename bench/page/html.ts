/**
 * html — Markdown of a report as HTML. Nothing of the input gets through as markup.
 *
 * Versions and notes in it come from programs: tags are shown as text, links lead to the web or
 * into the page, and pictures are named instead of fetched.
 */
import { Marked, type Tokens } from "marked";

/** Text as content, and as an attribute's value. */
export const escapeHtml = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");

/** A heading, for a list of contents. */
export interface Heading {
  readonly id: string;
  readonly depth: number;
  /** HTML. */
  readonly text: string;
}

const NUMBER = /^[–-]?$|^[–-]?\d[\d.,]*(?:$|[ (])|^N\/A$/;
const LINK = /^(?:https?:\/\/|#)/;
/** The page's title is above the highest heading of the input. */
const DEPTH_MIN = 2;
const DEPTH_MAX = 6;
/** More of them, and the first column gets the room that its names want. */
const NARROW_COLUMNS = 4;

const verdictClass = (text: string): string => {
  if (text === "reached" || text === "aim reached") return "good";
  return text === "not reached" || text.endsWith("○") ? "bad" : "";
};

const cellHtml = (tag: "td" | "th", html: string, classes: readonly string[]): string => {
  const named = classes.filter(Boolean).join(" ");
  return `<${tag}${named === "" ? "" : ` class="${named}"`}>${html}</${tag}>`;
};

/** Columns of which every cell is a number, or nothing. */
const numberColumns = ({ header, rows }: Tokens.Table): boolean[] =>
  header.map((_, i) => i > 0 && rows.every((row) => NUMBER.test(row[i]?.text.trim() ?? "")));

const tableHtml = (table: Tokens.Table, inline: (cell: Tokens.TableCell) => string): string => {
  const numbers = numberColumns(table);
  const numberClass = (i: number): string => (numbers[i] ? "number" : "");
  const head = table.header.map((cell, i) => cellHtml("th", inline(cell), [numberClass(i)]));
  const body = table.rows.map((row) => {
    const cells = row.map((cell, i) =>
      cellHtml("td", inline(cell), [numberClass(i), verdictClass(cell.text.trim())]),
    );
    const own = /^(?:ours\b|p2pvpn-)/.test(row[0]?.text ?? "") ? ' class="ours"' : "";
    return `<tr${own}>${cells.join("")}</tr>`;
  });
  const wide = table.header.length > NARROW_COLUMNS ? ' class="wide"' : "";
  return (
    `<div class="scroll" role="region" aria-label="table" tabindex="0"><table${wide}>` +
    `<thead><tr>${head.join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>\n`
  );
};

const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");

export interface Made {
  readonly html: string;
  readonly headings: readonly Heading[];
}

/**
 * HTML of Markdown. `replace` may give HTML of its own for a block of HTML in the input; where it
 * gives null, the block is shown as text.
 */
export const markdownHtml = (
  markdown: string,
  replace: (block: string) => string | null = () => null,
): Made => {
  const headings: Heading[] = [];
  const depths = new Marked()
    .lexer(markdown)
    .flatMap((token) => (token.type === "heading" ? [Number(token.depth)] : []));
  const lower = DEPTH_MIN - Math.min(DEPTH_MAX, ...depths);
  const marked = new Marked({
    renderer: {
      html: ({ text }) => replace(text) ?? escapeHtml(text),
      image: ({ text }) => escapeHtml(text),
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens);
        return LINK.test(href)
          ? `<a rel="noreferrer" href="${escapeHtml(href)}">${text}</a>`
          : text;
      },
      heading({ tokens, depth }) {
        const text = this.parser.parseInline(tokens);
        const plain = this.parser.parseInline(tokens, this.parser.textRenderer);
        const level = Math.min(depth + lower, DEPTH_MAX);
        const same = headings.filter(({ id }) => id.replace(/--\d+$/, "") === slugOf(plain)).length;
        const id = same === 0 ? slugOf(plain) : `${slugOf(plain)}--${same + 1}`;
        headings.push({ id, depth: level, text });
        return `<h${level} id="${id}">${text}</h${level}>\n`;
      },
      table(token) {
        return tableHtml(token, ({ tokens }) => this.parser.parseInline(tokens));
      },
    },
  });
  return { html: marked.parse(markdown, { async: false }), headings };
};
