"""The mechanism that carries frames from stage to stage.

A user writes stages and puts them into a `Pipeline`. For each run, the pipeline is laid out as a
chain of elements. Data takes compiled routes through it; StartFrame and EndFrame go element by element.

    processor      the base classes of stages, with their hooks
    hook_checks    the check that a stage's hooks are async or plain, as they must be
    unawaited      the watch for coroutines that were never awaited
    device_stage   the base class of stages that own a device
    pipeline       pipelines: stages in a row, and parallel branches
    chain          one run's elements, with nested pipelines laid flat
    place          the stages before and behind a stage, and what they make and take
    forgetting     stages that forget to pass frames on
    link           the element, and the protocols between elements and the run
    ends           the two ends of a pipeline: Source and Sink
    junction       the points where parallel branches split and merge
    route          a compiled way from one element to the next receiver
    hold           the wait of a source for a verdict on its audio
    mailbox        the bounded queue of a stage that may wait
    stage_mailbox  the mailbox of a stage that keeps several queues itself
    live_audio     the limit, in seconds, of live audio that waits in a mailbox
    fact_passing   the passing of facts to every stage at once
    fact_lane      the limit for facts that wait at a busy stage
    era            the eras of a run's work, which interruptions end
    outlets        the ways of a stage's frames before its start and after its end
    seat           the place of a stage in one run; the seat of an inline stage
    task_seat      the seat of a stage with a mailbox and a task
    stage_work     the work loop of that task
    stage_task     asyncio tasks that contain whatever a stage raises
    hook_task      the task in which one stage opens, works and cleans up
    ledger         the sample counts at one seam
"""

__all__: list[str] = []
