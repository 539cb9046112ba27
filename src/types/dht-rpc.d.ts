/** dht-rpc — the part of version 6.27 that the engine uses; the package brings no types. */
declare module "dht-rpc" {
  import type { EventEmitter } from "node:events";

  interface Node {
    readonly host: string;
    readonly port: number;
  }

  interface Reply {
    readonly from: Node;
    readonly error: number;
    readonly value: Uint8Array | null;
  }

  interface Request {
    readonly from: Node;
    readonly command: number;
    readonly target: Uint8Array | null;
    readonly value: Uint8Array | null;
    reply(
      value: Uint8Array | null,
      options?: { readonly token?: boolean; readonly closerNodes?: boolean },
    ): void;
    error(code: number, options?: { readonly closerNodes?: boolean }): void;
  }

  /** A stream; the package's own, not node's. */
  interface Query {
    readonly closestReplies: readonly Reply[];
    /** Requests at a time. */
    concurrency: number;
    on(event: "data", listener: (reply: Reply) => void): this;
    on(event: "error" | "close", listener: () => void): this;
    destroy(): void;
  }

  interface Asked {
    readonly command: number;
    readonly target: Uint8Array;
    readonly value?: Uint8Array;
  }

  interface Options {
    /** Makes sockets; what it has to have, dht-rpc does not say (directory/sockets.ts). */
    readonly udx: object;
    readonly port: number;
    readonly host: string;
    readonly bootstrap: readonly Node[];
    readonly nodes: readonly Node[];
    readonly ephemeral: boolean;
    readonly firewalled: boolean;
    readonly quickFirewall: boolean;
    readonly adaptiveTimeout: { readonly maxSize: number; readonly maxAge: number };
    readonly filterNode: (node: Node) => boolean;
  }

  class DHT extends EventEmitter {
    constructor(options: Options);
    /** One that stores, and is what it says: its name is not asked of others. */
    static bootstrapper(port: number, host: string, options: Partial<Options>): DHT;
    addNode(node: Node): void;
    fullyBootstrapped(): Promise<void>;
    query(asked: Asked, options: { readonly retries: number }): Query;
    findNode(target: Uint8Array, options: { readonly retries: number }): Query;
    request(asked: Asked, to: Node): Promise<Reply>;
    destroy(): Promise<void>;
  }
  export default DHT;
}
