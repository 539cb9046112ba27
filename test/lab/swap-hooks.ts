/**
 * swap-hooks — one module in place of another, which itself may import the one that it stands for.
 * Source: Node's "Customization hooks".
 */
interface Swap {
  readonly from: string;
  readonly to: string;
}

interface Resolved {
  readonly url: string;
}

interface Context {
  /** Who imports. */
  readonly parentURL?: string;
}

type Next = (specifier: string, context: Context) => Promise<Resolved>;

let swap: Swap = { from: "", to: "" };

/** Called once by register(). Thread: of the hooks. */
export const initialize = (data: Swap): void => {
  swap = data;
};

/** Called for each import. Thread: of the hooks. */
export const resolve = async (
  specifier: string,
  context: Context,
  next: Next,
): Promise<Resolved> => {
  const found = await next(specifier, context);
  const isWanted = found.url === swap.from && context.parentURL !== swap.to;
  return isWanted ? { ...found, url: swap.to } : found;
};
