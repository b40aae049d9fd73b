import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Event, RunPlan } from "workflow-client";

import { placeWords } from "../../address";
import { exactClock, fullTime } from "../../format";
import { visible } from "../../log/visible";
import { Button } from "../../parts/Button";
import { copyText } from "../../parts/copy";
import { Failed } from "../../parts/states";
import { eventLevel, eventPlace, eventText } from "../../run/eventWords";
import type { RunFeed } from "../../run/feed";
import { client } from "../../service/client";
import { Value } from "./DataPanel";
import type { RunSearch } from "./query";

interface Props {
  feed: RunFeed;
  plan: RunPlan | undefined;
  search: RunSearch;
  /** The page that the events are part of. */
  to: "/runs/$run/timeline" | "/runs/$run/graph";
}

/** All events of the run: one that the address names is open. */
export function EventsPanel({ feed, plan, search, to }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const { events, runId } = feed;
  const chosen = search.event === undefined ? undefined : Number(search.event);
  const virtual = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 28,
    overscan: 16,
    getItemKey: (index) => events[index]?.seq ?? index,
  });
  // The event of the address comes into view once, when it has been read.
  const reached = useRef<number>(undefined);
  const isRead = chosen !== undefined && events.length >= chosen;
  useEffect(() => {
    if (!isRead || reached.current === chosen) return;
    reached.current = chosen;
    virtual.scrollToIndex(chosen - 1, { align: "center" });
  }, [isRead, chosen, virtual]);
  if (events.length === 0) return <p className="muted pad">No event has been read yet.</p>;
  return (
    <div className="data events" ref={scroller} tabIndex={0} role="region" aria-label="Events">
      <div role="table" aria-label="Events of the run" aria-rowcount={events.length}>
        <div role="rowgroup" className="events-rows" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start, key }) => {
            const event = events[index];
            if (event === undefined) return null;
            const isOpen = event.seq === chosen;
            const place = eventPlace(event);
            return (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                data-row
                role="row"
                aria-rowindex={index + 1}
                className={`event level-${eventLevel(event)}${isOpen ? " is-open" : ""}`}
                style={{ transform: `translateY(${start}px)` }}
              >
                <div role="cell" className="event-number">
                  <Link
                    to={to}
                    params={{ run: runId }}
                    search={{ ...search, dock: "events", event: isOpen ? undefined : String(event.seq) }}
                    replace
                    className="number"
                    aria-label={`Event ${event.seq}, ${isOpen ? "close" : "open"}`}
                  >
                    {event.seq}
                  </Link>
                </div>
                <time role="cell" className="number muted" dateTime={event.at} title={fullTime(Date.parse(event.at))}>
                  {exactClock(Date.parse(event.at))}
                </time>
                <code role="cell" className="event-type">
                  {event.type}
                </code>
                <span role="cell" className="event-place muted ellipsis" title={place}>
                  {place === undefined ? "" : placeWords(place, plan)}
                </span>
                <span role="cell" className="event-text ellipsis">
                  {visible(eventText(event))}
                </span>
                {isOpen ? (
                  <div role="cell" className="event-json">
                    <EventJson runId={runId} event={event} />
                  </div>
                ) : null}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** The event with all of its values: the stream leaves large ones out. */
function EventJson({ runId, event }: { runId: string; event: Event }) {
  const query = useQuery({
    queryKey: ["event", runId, event.seq],
    queryFn: ({ signal }) => client.call("workflow:runs:events", { runId, after: event.seq - 1, limit: 1 }, { signal }),
  });
  const whole = query.data?.events[0] ?? event;
  return (
    <>
      <p className="two">
        <Button slim kind="plain" icon="copy" onClick={() => void copyText(location.href, "the link")}>
          Copy link
        </Button>
        <Button
          slim
          kind="plain"
          icon="copy"
          onClick={() => void copyText(JSON.stringify(whole, null, 2), "the event")}
        >
          Copy JSON
        </Button>
      </p>
      {query.isError ? <Failed failure={query.error} retry={() => void query.refetch()} /> : null}
      <Value path={undefined} value={whole} />
    </>
  );
}
