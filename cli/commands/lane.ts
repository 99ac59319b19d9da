/** The second lane of `regrain apply`, where the whole program is one file. */
export { serveLane } from "../apply/lane_worker.ts";
