// Runs fauxqs (its directory is the first argument) with three things that it has no setting for:
// it listens on 127.0.0.1 only, it is emptied by POST /_fauxqs/reset, and the long poll of a
// client that has gone ends with it, as AWS's does, instead of taking messages to nobody. And with
// one mended: with a data directory, a message that was given back (visibility 0) was gone.
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

// Its own statement forgets the receive count too, which its table refuses: the call fails, after
// the message was taken off those in flight. Nor does it say how much a crash may cost: written
// without waiting for the disk, what is kept outlives the process, which is all that ends here.
const { PersistenceManager } = await load("persistence.js");
PersistenceManager.prototype.updateMessageReady = function (messageId) {
  this.ready ??= this.db.prepare(
    "UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?",
  );
  this.ready.run(messageId);
};
const prepareStatements = PersistenceManager.prototype.prepareStatements;
PersistenceManager.prototype.prepareStatements = function () {
  this.db.exec("PRAGMA synchronous = OFF");
  return prepareStatements.call(this);
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
