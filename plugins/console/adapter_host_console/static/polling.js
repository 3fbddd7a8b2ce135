// Data that is loaded again and again, while the page is visible.
import { useEffect, useState } from "./vendor/hooks.mjs";

/** Load data now, and again after each `period`; `key` begins again, and `load` may be null. */
export function usePolled(load, period, key = "") {
  const [state, setState] = useState({ data: null, error: null });
  const [turn, setTurn] = useState(0);
  const isOn = load !== null;
  useEffect(() => {
    if (!isOn) return undefined;
    let timer, ended = false;
    const poll = async () => {
      if (!document.hidden) {
        try {
          const data = await load();
          if (!ended) setState({ data, error: null });
        } catch (error) {
          if (!ended) setState((old) => ({ ...old, error: error.message }));
        }
      }
      if (!ended) timer = setTimeout(poll, period);
    };
    poll();
    return () => { ended = true; clearTimeout(timer); };
  }, [key, turn, isOn]);
  return { ...state, again: () => setTurn((old) => old + 1) };
}
