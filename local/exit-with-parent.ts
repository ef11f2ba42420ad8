// `node --import <this file>`: a child process spawned with an IPC channel ends when its parent closes the channel or
// dies, by `kill -9` too. Its own SIGTERM handlers run first, so that what it holds in memory reaches the disk.
const patience = 5_000;

process.on("disconnect", () => {
  // The pipes may be gone with the parent; a log line that finds no reader must not stop the handlers.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  if (!process.emit("SIGTERM", "SIGTERM")) process.exit();
  setTimeout(() => process.exit(), patience).unref();
});
