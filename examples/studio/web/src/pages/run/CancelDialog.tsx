import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { useOffline } from "../../service/contact";

interface Props {
  /** The attempts that are running, in words. */
  calls: string | undefined;
  onCancel: () => void;
  onClose: () => void;
}

/** Asks whether a run is to be cancelled. */
export function CancelDialog({ calls, onCancel, onClose }: Props) {
  const offline = useOffline();
  return (
    <Dialog title="Cancel this run?" onClose={onClose}>
      <div className="body">
        <p>
          {calls === undefined
            ? "No attempt is running."
            : `${calls} will be told to stop, and killed after a grace period.`}{" "}
          A run that was cancelled cannot be resumed; it can be rerun.
        </p>
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Keep it running</Button>
        <Button
          kind="danger"
          blocked={offline}
          onClick={() => {
            onClose();
            onCancel();
          }}
        >
          Cancel the run
        </Button>
      </footer>
    </Dialog>
  );
}
