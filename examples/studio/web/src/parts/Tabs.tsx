interface Props {
  label: string;
  tabs: { id: string; name: string }[];
  current: string;
  onSelect: (id: string) => void;
}

/** Tabs, of which one is a stop of the tab key: arrows choose. */
export function Tabs({ label, tabs, current, onSelect }: Props) {
  return (
    <div className="tabs" role="tablist" aria-label={label}>
      {tabs.map(({ id, name }, index) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === current}
          tabIndex={id === current ? 0 : -1}
          onClick={() => onSelect(id)}
          onKeyDown={(event) => {
            const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            const next = tabs[(index + by + tabs.length) % tabs.length];
            if (by === 0 || next === undefined) return;
            onSelect(next.id);
            (event.currentTarget.parentElement?.children[tabs.indexOf(next)] as HTMLElement | undefined)?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
