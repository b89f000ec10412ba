from parrot import Parrot

from voicepipe import Frame, InputAudioFrame, OutputAudioFrame, Pipeline, PipelineTask
from voicepipe.testing import run_virtual


def test_a_parrot_says_what_it_hears() -> None:
    async def conversation() -> list[Frame]:
        task, said = PipelineTask(Pipeline([Parrot()])), list[Frame]()
        task.subscribe(lambda frame, direction: said.append(frame))
        await task.queue_frame(InputAudioFrame(b"\x01\x00" * 320))
        task.end()
        await task.run()
        return said

    said = run_virtual(conversation())  # no hardware, and an hour would take seconds
    assert [frame.data for frame in said if isinstance(frame, OutputAudioFrame)] == [b"\x01\x00" * 320]
