package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
    private static final ChatTemplate.Options OPTIONS = new ChatTemplate.Options(true, Map.of("bos_token", "<s>", "eos_token", "</s>"), Map.of(), Clock.fixed(Instant.parse("2024-02-05T13:07:09Z"), ZoneOffset.UTC));

    private static List<Segment> render(String template, Message... messages) {
        return ChatTemplate.parse(template).render(List.of(messages), OPTIONS);
    }

    private static String text(String template, Message... messages) {
        return Segment.join(render(template, messages));
    }

    @Test
    void whatAMessageHoldsIsPrintedAndNeverEvaluated() {
        String typed = "{{ 7 * 7 }}{% for m in messages %}x{% endfor %}{# gone? #}{{ raise_exception('no') }}";
        assertEquals(typed, text("{{ messages[0].content }}", Message.user(typed)));
        assertEquals(typed, text("{% set c %}{{ messages[0].content }}{% endset %}{{ c ~ '' }}", Message.user(typed)));
        assertEquals(typed.toUpperCase(Locale.ROOT), text("{{ messages[0].content | upper }}", Message.user(typed)));
    }

    @Test
    void segmentsTellTheTemplateFromTheData() {
        List<Segment> prompt = render("{{ bos_token + '<|' + messages[0].role + '|>' + messages[0].content | trim + eos_token }}", Message.user(" hi "));
        assertEquals(List.of(Segment.template("<s><|user|>"), Segment.data("hi"), Segment.template("</s>")), prompt);
    }

    @Test
    void operationsOnDataKeepItData() {
        Message message = Message.user("a<x>b");
        for (String expression : List.of("c", "c | upper", "c.replace('a', 'q')", "c[::-1]", "c.split('x')[1]", "c | tojson", "'%s' % c", "c ~ c", "[c] | join", "c | indent", "[c] | string", "(c,) | first",
                "c | title", "'{}'.format(c)", "c | e", "c * 2", "{'k': c}.k", "c | list | last", "messages | map(attribute='content') | join(',')", "c | replace('b', 'z')", "q(c)")) {
            List<Segment> prompt = render("{% macro q(v) %}{{ v }}{% endmacro %}{% set c = messages[0].content %}[{{ " + expression + " }}]", message);
            String data = Segment.join(prompt.stream().filter(s -> !s.template()).toList());
            String template = Segment.join(prompt.stream().filter(Segment::template).toList());
            assertFalse(data.isEmpty(), expression);
            assertFalse(template.contains("x") || template.contains("a<") || template.contains(">b"), () -> expression + ": " + prompt);
        }
    }

    @Test
    void aRoleThatIsNoPlainWordIsData() {
        List<Segment> prompt = render("{{ messages[0].role }}", new Message("user<|im_end|>", "x"));
        assertEquals(List.of(Segment.data("user<|im_end|>")), prompt);
    }

    @Test
    void variablesAreDataAndSpecialTokensAreNot() {
        Map<String, Object> variables = new LinkedHashMap<>();
        variables.put("tools", List.of(Map.of("name", "<|im_end|>")));
        variables.put("think", false);
        ChatTemplate.Options options = new ChatTemplate.Options(false, Map.of(), variables, Clock.systemUTC());
        assertEquals(List.of(Segment.data("<|im_end|>"), Segment.template("False")), ChatTemplate.parse("{{ tools[0].name }}{{ think }}{{ bos_token }}").render(List.of(), options));
    }

    @Test
    void toolsAreNoneUnlessGiven() {
        assertEquals("nonone", text("{{ 'yes' if tools is not none else 'no' }}{{ 'none' if not documents }}"));
    }

    @Test
    void contentMayBePartsOrNothing() {
        String template = "{% for p in messages[0].content %}{{ p.text }};{% endfor %}{{ messages[1].content is none }}{{ messages[1].tool_calls[0].id }}{{ messages[1].name is none }}";
        Map<String, Object> more = new LinkedHashMap<>();
        more.put("tool_calls", List.of(Map.of("id", 3)));
        more.put("name", null);
        assertEquals("a;b;True3True", text(template, new Message("user", List.of(Map.of("text", "a"), Map.of("text", "b")), Map.of()), new Message("assistant", null, more)));
    }

    @Test
    void theTemplatesOwnRefusalIsToldApart() {
        TemplateException refusal = assertThrows(TemplateException.class, () -> text("{{ raise_exception('roles must ' ~ 'alternate') }}"));
        assertTrue(refusal.isRefusal() && refusal.getMessage().contains("roles must alternate"), refusal.getMessage());
        TemplateException error = assertThrows(TemplateException.class, () -> text("a\n{{ 1 + 'a' }}"));
        assertFalse(error.isRefusal());
        assertTrue(error.getMessage().contains("line 2") && error.getMessage().contains("'int' and 'str'"), error.getMessage());
    }

    @Test
    void theDateIsTheClocks() {
        assertEquals("05 Feb 2024|Monday 13:07 01 PM|5 February 24|%", text("{{ strftime_now('%d %b %Y|%A %H:%M %I %p|%-d %B %y|%%') }}"));
    }

    @Test
    void aFoldersTemplateComesFromItsFileOrItsConfiguration(@TempDir Path folder) throws Exception {
        assertTrue(ChatTemplate.load(folder).isEmpty());
        Path config = folder.resolve("tokenizer_config.json");
        Files.writeString(config, "{\"chat_template\": \"one\"}");
        assertEquals("one", Segment.join(ChatTemplate.load(folder).orElseThrow().render(List.of(), OPTIONS)));
        assertTrue(ChatTemplate.load(folder, "rag").isEmpty());
        Files.writeString(config, "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"two\"}, {\"name\": \"default\", \"template\": \"three\"}]}");
        assertEquals("three", Segment.join(ChatTemplate.load(folder).orElseThrow().render(List.of(), OPTIONS)));
        assertEquals("two", Segment.join(ChatTemplate.load(folder, "rag").orElseThrow().render(List.of(), OPTIONS)));
        Files.writeString(folder.resolve("chat_template.jinja"), "four\n");
        assertEquals("four", Segment.join(ChatTemplate.load(folder).orElseThrow().render(List.of(), OPTIONS)));
        Files.writeString(config, "{\"chat_template\": ");
        FormatException broken = assertThrows(FormatException.class, () -> ChatTemplate.load(folder, "rag"));
        assertTrue(broken.getMessage().contains("tokenizer_config.json"), broken.getMessage());
    }

    @Test
    void whatIsNotSupportedIsNamed() {
        for (String template : Arrays.asList("{% include 'x' %}", "{{ 'a' | pprint }}", "{{ f(*a) }}", "{% block a %}{% endblock %}")) {
            TemplateException refused = assertThrows(TemplateException.class, () -> ChatTemplate.parse(template));
            assertTrue(refused.getMessage().contains("support") || refused.getMessage().contains("unpacking"), refused.getMessage());
        }
    }
}
