/** Text-to-LoRA: one sentence in, a LoRA adapter for a language model out, and the adapted model in the same process. */
module dev.t2l {
    requires ai.djl.api;
    requires ai.djl.tokenizers;
    requires com.fasterxml.jackson.databind;
    requires info.picocli;
    requires io.javalin;
    requires java.desktop; // charts are drawn by it
    requires java.logging;
    requires java.net.http;
    requires jcuda;
    requires jdk.jfr;
    requires jdk.management;
    requires me.tongfei.progressbar;
    requires org.slf4j; // the tokenizers, an automatic module, use it and cannot say so
    requires org.yaml.snakeyaml;
    requires xchart;

    exports dev.t2l;
    exports dev.t2l.backend;
    exports dev.t2l.eval;
    exports dev.t2l.experiment;
    exports dev.t2l.hyper;
    exports dev.t2l.io;
    exports dev.t2l.model;
    exports dev.t2l.tensor;
    exports dev.t2l.text;
    exports dev.t2l.train;

    opens dev.t2l.bench to com.fasterxml.jackson.databind;
    opens dev.t2l.demo to com.fasterxml.jackson.databind;
    opens dev.t2l.cli to com.fasterxml.jackson.databind, info.picocli;
}
