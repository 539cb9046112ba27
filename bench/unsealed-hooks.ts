/**
 * unsealed-hooks — one module in place of another. Source: Node's "Customization hooks".
 */
interface Swap {
  readonly from: string;
  readonly to: string;
}

interface Resolved {
  readonly url: string;
}

type Next = (specifier: string, context: unknown) => Promise<Resolved>;

let swap: Swap = { from: "", to: "" };

/** Called once by register(). Thread: of the hooks. */
export const initialize = (data: Swap): void => {
  swap = data;
};

/** Called for each import. Thread: of the hooks. */
export const resolve = async (
  specifier: string,
  context: unknown,
  next: Next,
): Promise<Resolved> => {
  const found = await next(specifier, context);
  return found.url === swap.from ? { ...found, url: swap.to } : found;
};
