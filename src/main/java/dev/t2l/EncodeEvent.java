package dev.t2l;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Flight Recorder: texts turned into vectors. */
@Name("dev.t2l.Encode")
@Label("Encode")
@Category("Text-to-LoRA")
@Description("Texts turned into vectors by a text encoder")
@StackTrace(false)
final class EncodeEvent extends Event {
    @Label("Texts")
    int texts;

    @Label("Tokens")
    @Description("Tokens of all texts, after truncation")
    long tokens;
}
