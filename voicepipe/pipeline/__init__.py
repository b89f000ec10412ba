"""The mechanism that carries frames from stage to stage.

A user writes stages and puts them into a `Pipeline`. For each run, the pipeline is laid out as a
chain of elements. Data takes compiled routes through it; StartFrame and EndFrame go element by element.

    processor      the base classes of stages, with their hooks
    device_stage   the base class of stages that own a device
    pipeline       pipelines: stages in a row, and parallel branches
    chain          one run's elements, with nested pipelines laid flat
    link           the element, and the protocols between elements and the run
    ends           the two ends of a pipeline: Source and Sink
    junction       the points where parallel branches split and merge
    route          a compiled way from one element to the next receiver
    hold           the wait of a source for a verdict on its audio
    mailbox        the bounded queue of a stage that may wait
    seat           the place of a stage in one run; the seat of an inline stage
    task_seat      the seat of a stage with a mailbox and a task
    stage_work     the work loop of that task
    stage_task     asyncio tasks that contain whatever a stage raises
    ledger         the sample counts at one seam
"""

__all__: list[str] = []
