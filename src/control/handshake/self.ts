/** self — our own static keys and what is made of them; another one for every private key. */
import type { CookieChecker } from "../strangers/cookie.ts";
import type { Load } from "../strangers/load.ts";
import type { StaticKeys } from "./noise.ts";
import type { Timestamps } from "./timestamps.ts";

/** Thread: control. */
export interface Self {
  readonly keys: StaticKeys;
  readonly load: Load;
  readonly cookies: CookieChecker;
  readonly clock: Timestamps;
}
