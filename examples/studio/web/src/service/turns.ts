/**
 * How many pages of this origin have a stream at the same time. A browser has six connections to an origin, whatever the
 * number of its pages, and requests need some of them.
 */
const STREAMS = 4;
/** How long a page keeps its stream while another one waits for it, in milliseconds. */
const TURN = 2_000;

const NAMES = Array.from({ length: STREAMS }, (_, n) => `workflow-studio-stream-${n}`);

/**
 * Acts when it is the turn of this page. What acts ends when `over` says so: another page is waiting, and the turn of this
 * one comes again.
 */
export async function inTurn(stop: AbortSignal, act: (over: AbortSignal) => Promise<void>): Promise<void> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (locks === undefined) return act(new AbortController().signal);
  const { held = [], pending = [] } = await locks.query();
  const load = (name: string) => [...held, ...pending].filter((lock) => lock.name === name).length;
  const name = NAMES.reduce((least, each) => (load(each) < load(least) ? each : least));
  const turn = async () => {
    const over = new AbortController();
    const look = async () => {
      const waiting = (await locks.query()).pending ?? [];
      if (waiting.some((lock) => lock.name === name)) over.abort();
    };
    const timer = setInterval(() => void look(), TURN);
    try {
      await act(over.signal);
    } finally {
      clearInterval(timer);
    }
  };
  try {
    await locks.request(name, { signal: stop }, turn);
  } catch (failure) {
    if (!stop.aborted) throw failure;
  }
}
