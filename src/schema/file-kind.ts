/**
 * file-kind — TOML, or a file of wg-quick? Its lines tell, whatever it is called.
 *
 * Both readers ask this before they advise to rename a file, so that no two of them send a person
 * to and fro. Pure; any thread.
 */

/** Keys that only a wg-quick file has. */
const QUICK_KEYS =
  "PrivateKey|ListenPort|Address|PublicKey|PresharedKey|AllowedIPs|PersistentKeepalive|" +
  "SaveConfig|DNS|Table|Pre(?:Up|Down)|Post(?:Up|Down)";
const WG_QUICK = new RegExp(`^[ \\t]*(?:${QUICK_KEYS})[ \\t]*=`, "gim");

/** Headers, keys and values that only a TOML file has. */
const TOML_LINES = [
  "\\[\\[\\s*peer\\s*\\]\\]",
  "\\[engine\\]",
  "[a-z]+(?:_[a-z]+)+[ \\t]*=",
  "(?:addresses|name|cipher|routes)[ \\t]*=",
  "\\w+[ \\t]*=[ \\t]*[\"'[]",
];
const TOML = new RegExp(`^[ \\t]*(?:${TOML_LINES.join("|")})`, "gm");

const count = (text: string, lines: RegExp): number => text.match(lines)?.length ?? 0;

/** What more lines speak for; null: neither. */
export const looksLike = (text: string): "toml" | "wg-quick" | null => {
  const quick = count(text, WG_QUICK);
  const toml = count(text, TOML);
  if (quick === toml) return null;
  return quick > toml ? "wg-quick" : "toml";
};
