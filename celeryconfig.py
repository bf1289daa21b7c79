"""Celery's settings for the worker: `celery -A orders_site worker -Q email,sms`.

Data only. What a line would break if it were left out or changed is said on it; those that
the worker cannot do without are checked when it starts (`notifications.worker.app`).
"""

from orders_site.environment import read

# The broker. boto3 finds region, credentials and endpoint by itself, so the URL is bare.
broker_url = "sqs://"
broker_transport = "notifications.worker.transport:Transport"  # kombu's own loses and stalls
broker_transport_options = {
    # Seconds of an idle queue's long poll, 20 at most. An open poll cannot be called back, so
    # this is also how long an idle worker may take to stop. AWS bills each poll; an emulator
    # does not, so the local parts set it to 1.
    "wait_time_seconds": read("SQS_WAIT_SECONDS"),
    "receives_per_queue": 4,  # under way at once while a queue is busy; an idle one has one
}

# What a worker takes on. Without -Q it serves every registered consumer: one process is enough
# for a small shop, and a new consumer is not forgotten.
task_create_missing_queues = False  # -Q with a name that is no consumer is an error, not a queue
worker_pool = read("WORKER_POOL")  # threads: tasks wait for providers and the database
worker_concurrency = read("WORKER_CONCURRENCY")
worker_prefetch_multiplier = 2  # messages held for each thread; more while they go fast
worker_disable_rate_limits = True  # rate_limit means the account, cluster-wide, not this process
worker_enable_remote_control = False  # it would need queues of its own, one for each worker
worker_cancel_long_running_tasks_on_connection_loss = False  # there is no connection to lose

# A message goes after its task, never before: a worker that dies gives it back.
task_acks_late = True
# The worker's requests settle each message themselves (`notifications.worker.request`): a failed
# one becomes a dead letter; one killed for taking too long, or whose process died, comes again.
# These say the same to whoever reads them, and to another worker.
task_acks_on_failure = True
task_acks_on_timeout = False
task_reject_on_worker_lost = True

# What each provider account takes from all workers together, in Celery's words: EMAIL_RATE_LIMIT
# is "14/s" (an SES account's, say), "100/m", "none"; empty leaves what the task declares. At run
# time `manage.py rate_limits` changes it without a restart.
task_annotations = {
    f"notifications.{channel}": {"rate_limit": None if rate == "none" else rate}
    for channel in ("email", "sms", "whatsapp", "push")
    for rate in [read(f"{channel.upper()}_RATE_LIMIT")]
    if rate
}

# What is kept of a task: a row for each failure in the admin, nothing for a success.
result_backend = "notifications.worker.results:FailedTasks"
result_extended = True  # with the task's name and its event, which holds ids and no address
task_ignore_result = True  # nobody waits for a result
task_store_errors_even_if_ignored = True  # but operators look for failures

# JSON only: nothing that a message could say is ever unpickled.
accept_content = ["json"]
task_serializer = result_serializer = "json"
timezone = "UTC"  # as in Django, so that the times in logs and rows agree
