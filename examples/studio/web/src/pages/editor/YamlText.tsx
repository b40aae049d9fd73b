import { useEffect, useRef } from "react";

import type { YamlView } from "./yaml/view";

/** The text of the file, with the numbers of its lines and what is wrong in them. */
export function YamlText({ yaml }: { yaml: YamlView }) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => (host.current === null ? undefined : yaml.attach(host.current)), [yaml]);
  return <div ref={host} className="yaml" />;
}
