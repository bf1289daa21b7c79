// Runs fauxqs (its directory is the first argument) with three things that it has no setting for:
// it listens on 127.0.0.1 only, it is emptied by POST /_fauxqs/reset, and the long poll of a
// client that has gone ends with it, as AWS's does, instead of taking messages to nobody.
import { AsyncLocalStorage } from "node:async_hooks";
import net from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const home = join(process.argv[2], "node_modules", "fauxqs", "dist");
const load = (file) => import(pathToFileURL(join(home, file)));

let http;
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  http = this;
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...rest);
};

const answering = new AsyncLocalStorage();
const { SqsQueue } = await load("sqs/sqsStore.js");
const waitForMessages = SqsQueue.prototype.waitForMessages;
SqsQueue.prototype.waitForMessages = function (seconds) {
  const arrived = waitForMessages.call(this, seconds);
  const waiter = this.pollWaiters.at(-1);
  answering.getStore().once("close", () => {
    const index = this.pollWaiters.indexOf(waiter);
    if (index < 0) return; // it was answered
    clearTimeout(waiter.timer);
    this.pollWaiters.splice(index, 1);
    this.stopPollTimerIfEmpty();
  });
  return arrived;
};

const { startFauxqs } = await load("app.js");
const server = await startFauxqs({
  port: Number(process.env.FAUXQS_PORT),
  dataDir: process.env.FAUXQS_DATA_DIR || undefined,
  logger: false,
});

const [serve] = http.listeners("request");
http.removeAllListeners("request");
http.on("request", (request, response) => {
  if (request.method === "POST" && request.url === "/_fauxqs/reset") {
    server.purgeAll();
    response.end();
  } else {
    answering.run(response, serve, request, response);
  }
});

process.once("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
