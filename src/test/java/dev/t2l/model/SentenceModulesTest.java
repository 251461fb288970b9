package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What sentence-transformers' files say, and what of it is refused. */
class SentenceModulesTest {
    private static final String TRANSFORMER = "{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}";
    private static final String POOLING = "{\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}";
    private static final String NORMALIZE = "{\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}";

    @TempDir
    Path folder;

    private void write(String name, String json) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, json);
    }

    private void pooling(String json) throws IOException {
        write("1_Pooling/config.json", json);
    }

    @Test
    void aBareFolderSaysNothing() {
        SentenceModules modules = SentenceModules.read(folder);
        assertEquals(new SentenceModules(folder, Optional.empty(), false, Integer.MAX_VALUE, false, ""), modules);
        assertEquals("As is ", modules.prepare("As is "));
    }

    @Test
    void aSentenceEncoder() throws IOException {
        write("modules.json", "[" + TRANSFORMER + "," + POOLING + "," + NORMALIZE + "]");
        pooling("{\"word_embedding_dimension\": 8, \"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true, \"pooling_mode_max_tokens\": false}");
        write("sentence_bert_config.json", "{\"max_seq_length\": 256, \"do_lower_case\": true}");
        write("config_sentence_transformers.json", "{\"prompts\": {\"query\": \"Find: \"}, \"default_prompt_name\": \"query\"}");
        SentenceModules modules = SentenceModules.read(folder);
        assertEquals(new SentenceModules(folder, Optional.of(Pooling.MEAN), true, 256, true, "Find: "), modules);
        assertEquals("find: it", modules.prepare("It"));
    }

    @Test
    void poolingWithoutNormalise() throws IOException {
        write("modules.json", "[" + TRANSFORMER.replace("\"path\": \"\"", "\"path\": \"0_T\"") + "," + POOLING + "]");
        pooling("{\"pooling_mode\": \"cls\"}");
        SentenceModules modules = SentenceModules.read(folder);
        assertEquals(Optional.of(Pooling.CLS), modules.pooling());
        assertEquals(folder.resolve("0_T"), modules.transformer());
        assertTrue(!modules.normalise());
    }

    @Test
    void lastTokenPooling() throws IOException {
        pooling("{\"pooling_mode_cls_token\": false, \"pooling_mode_lasttoken\": true, \"include_prompt\": true}");
        assertEquals(Optional.of(Pooling.LAST_TOKEN), SentenceModules.read(folder).pooling());
    }

    @Test
    void withoutAWrittenLengthTheModelAndItsTokenizerSay() throws IOException {
        write("sentence_bert_config.json", "{\"max_seq_length\": null}");
        write("tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
        write("config.json", "{\"max_position_embeddings\": 512}");
        assertEquals(512, SentenceModules.read(folder).maxTokens());
        write("tokenizer_config.json", "{\"model_max_length\": 128}");
        assertEquals(128, SentenceModules.read(folder).maxTokens());
    }

    @Test
    void whatWouldChangeTheVectorsIsRefused() throws IOException {
        pooling("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}");
        refused("cls_token, mean_tokens");
        pooling("{\"pooling_mode_max_tokens\": true}");
        refused("max_tokens");
        pooling("{\"pooling_mode_cls_token\": true}");
        write("modules.json", "[" + TRANSFORMER + "," + POOLING + "," + NORMALIZE.replace("Normalize", "Dense") + "]");
        refused("Dense");
        write("modules.json", "[" + TRANSFORMER + "," + NORMALIZE + "," + POOLING + "]");
        refused("Normalize");
        write("modules.json", "[" + TRANSFORMER.replace("\"path\": \"\"", "\"path\": \"../other\"") + "]");
        refused("../other");
        write("modules.json", "{}");
        refused("array");
        write("modules.json", "[");
        refused("modules.json");
    }

    private void refused(String named) {
        String message = assertThrows(FormatException.class, () -> SentenceModules.read(folder)).getMessage();
        assertTrue(message.contains(named), message);
    }
}
