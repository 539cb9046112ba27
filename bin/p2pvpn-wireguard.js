#!/usr/bin/env node
/**
 * p2pvpn-wireguard — stands in for wireguard-go.
 */
import { launch } from "./launch.js";

await launch("p2pvpn-wireguard", new URL("../dist/src/wireguard.js", import.meta.url));
