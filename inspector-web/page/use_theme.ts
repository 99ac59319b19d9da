/** The colours of the page. */
import { useEffect, useState } from "preact/hooks";
import type { ThemeName } from "../shared/palette.ts";

/** The system's theme unless one was chosen; the chosen one stands on the root element, where the style reads it. */
export function useTheme(chosen: ThemeName | undefined): ThemeName {
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listen = () => setDark(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, []);
  const theme = chosen ?? (isDark ? "dark" : "light");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return theme;
}
