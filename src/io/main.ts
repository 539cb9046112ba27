/**
 * io/main — entry of the I/O thread: a rehearsal, then the loop.
 */
import { parentPort, workerData } from "node:worker_threads";
import { rehearse } from "./rehearsal.ts";
import type { IoTask } from "./station.ts";
import { IoThread } from "./thread.ts";

if (parentPort !== null) {
  const port = parentPort;
  const task = workerData as IoTask;
  rehearse(task);
  new IoThread(task, (report) => port.postMessage(report)).run();
  port.close();
}
