import type { ComponentProps, ReactNode } from "react";

import { Icon } from "./Icon";

interface Props extends Omit<ComponentProps<"button">, "disabled"> {
  kind?: "primary" | "danger" | "plain" | undefined;
  slim?: boolean;
  icon?: string;
  /** Why the button cannot be used now. It stays in the order of the tab key, and says so. */
  blocked?: string | undefined;
  children?: ReactNode;
}

export function Button({ kind, slim, icon, blocked, onClick, children, className, title, ...rest }: Props) {
  const names = ["button", kind, slim ? "slim" : undefined, className].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      {...rest}
      className={names}
      title={blocked ?? title}
      aria-disabled={blocked === undefined ? undefined : true}
      onClick={(event) => {
        if (blocked === undefined) onClick?.(event);
        else event.preventDefault();
      }}
    >
      {icon === undefined ? null : <Icon name={icon} />}
      {children}
      {blocked === undefined ? null : <span className="hidden">: {blocked}</span>}
    </button>
  );
}
