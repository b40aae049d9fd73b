/** The line between timeline and dock: moved by the pointer or by the arrow keys. */
export function Splitter({ share, onShare }: { share: number; onShare: (share: number) => void }) {
  const limit = (percent: number) => Math.min(80, Math.max(15, Math.round(percent)));
  return (
    <div
      className="splitter"
      role="separator"
      tabIndex={0}
      aria-label="Height of the timeline"
      aria-orientation="horizontal"
      aria-valuenow={share}
      aria-valuemin={15}
      aria-valuemax={80}
      onKeyDown={(event) => {
        const by = { ArrowUp: -5, ArrowDown: 5, Home: -100, End: 100 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        onShare(limit(share + by));
      }}
      onPointerDown={(event) => {
        const box = event.currentTarget.parentElement?.getBoundingClientRect();
        if (box === undefined) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const target = event.currentTarget;
        const move = (moved: PointerEvent) => onShare(limit(((moved.clientY - box.top) / box.height) * 100));
        const stop = () => {
          target.removeEventListener("pointermove", move);
          target.removeEventListener("pointerup", stop);
        };
        target.addEventListener("pointermove", move);
        target.addEventListener("pointerup", stop);
      }}
    />
  );
}
