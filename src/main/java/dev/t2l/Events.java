package dev.t2l;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Flight Recorder events: where a request's time goes. */
final class Events {
    private Events() {
    }

    @Name("dev.t2l.Load")
    @Label("Load")
    @Category("Text-to-LoRA")
    @Description("A model, encoder or hypernetwork was opened")
    @StackTrace(false)
    static final class Load extends Event {
        @Label("Path")
        String path;
        @Label("Backend")
        String backend;
    }

    @Name("dev.t2l.Encode")
    @Label("Encode")
    @Category("Text-to-LoRA")
    @Description("Texts turned into vectors by a text encoder, unless that is part of a recording that makes an adapter")
    @StackTrace(false)
    static final class Encode extends Event {
        @Label("Texts")
        int texts;
        @Label("Tokens")
        @Description("Tokens of all texts, after truncation")
        long tokens;
    }

    @Name("dev.t2l.Adapt")
    @Label("Adapt")
    @Category("Text-to-LoRA")
    @Description("Descriptions became adapters")
    @StackTrace(false)
    static final class Adapt extends Event {
        @Label("Descriptions")
        int descriptions;
        @Label("Cached")
        @Description("How many of them an adapter was kept for")
        int cached;
    }

    @Name("dev.t2l.Prefill")
    @Label("Prefill")
    @Category("Text-to-LoRA")
    @Description("Prompts were read and the first tokens chosen")
    @StackTrace(false)
    static final class Prefill extends Event {
        @Label("Sequences")
        int sequences;
        @Label("Prompt Tokens")
        int tokens;
    }

    @Name("dev.t2l.Decode")
    @Label("Decode")
    @Category("Text-to-LoRA")
    @Description("All further tokens were generated")
    @StackTrace(false)
    static final class Decode extends Event {
        @Label("Sequences")
        int sequences;
        @Label("Generated Tokens")
        @Description("Tokens of all sequences, the first ones included")
        int tokens;
    }
}
