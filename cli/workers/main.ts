/** What every thread starts as, where the program is not bundled. */
import { serveAs } from "./serve.ts";

await serveAs(self.name);
