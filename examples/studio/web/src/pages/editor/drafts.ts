/** A text of a workflow that was not saved. */
export interface Draft {
  id: string;
  text: string;
  /** The version of the file that it began with. */
  version: string;
  at: number;
}

const NAME = "workflow-studio";
const STORE = "drafts";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser keeps no drafts"));
  });
}

async function transact<T>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T | undefined> {
  // A browser that stores nothing has no drafts.
  try {
    const database = await open();
    return await new Promise<T>((resolve, reject) => {
      const request = act(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("the browser keeps no drafts"));
    }).finally(() => database.close());
  } catch {
    return undefined;
  }
}

export const readDraft = (id: string): Promise<Draft | undefined> =>
  transact("readonly", (store) => store.get(id) as IDBRequest<Draft | undefined>);

export const keepDraft = async (draft: Draft): Promise<void> => {
  await transact("readwrite", (store) => store.put(draft));
};

export const dropDraft = async (id: string): Promise<void> => {
  await transact("readwrite", (store) => store.delete(id));
};
