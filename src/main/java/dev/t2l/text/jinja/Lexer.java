package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a template into tokens, with jinja2's white-space rules as Hugging Face sets them: {@code trim_blocks} (a line feed after a
 * block or comment goes), {@code lstrip_blocks} (blanks before a block or comment that starts a line go), and the template's last line
 * feed goes. {@code -} strips all white space on its side, {@code +} keeps it.
 */
final class Lexer {
    private static final Pattern RAW_BEGIN = Pattern.compile("\\{%[-+]?\\s*raw\\s*(-%\\}\\s*|%\\})");
    private static final Pattern RAW_END = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(?:\\+%\\}|-%\\}\\s*|%\\}\\n?)");
    private static final List<String> OPERATORS = List.of("//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int counted;
    private boolean lineStarts = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        String unix = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        while (at < source.length()) {
            int tag = nextTag();
            boolean variable = tag < source.length() && source.charAt(tag + 1) == '{';
            data(at, tag, tag, !variable);
            at = tag;
            if (tag == source.length()) {
                break;
            }
            switch (source.charAt(tag + 1)) {
                case '#' -> comment();
                case '{' -> tag(Token.Kind.VARIABLE_BEGIN, Token.Kind.VARIABLE_END, "}}");
                default -> {
                    Matcher raw = RAW_BEGIN.matcher(source).region(at, source.length());
                    if (raw.lookingAt()) {
                        raw(raw.end());
                    } else {
                        tag(Token.Kind.BLOCK_BEGIN, Token.Kind.BLOCK_END, "%}");
                    }
                }
            }
        }
        add(Token.Kind.END, "", null);
    }

    private int nextTag() {
        for (int i = source.indexOf('{', at); i >= 0; i = source.indexOf('{', i + 1)) {
            if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return source.length();
    }

    /** Text before a tag, stripped as the tag's sign and the options say. */
    private void data(int from, int to, int tag, boolean stripsLine) {
        char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
        int end = to;
        if (tag < source.length()) {
            if (sign == '-') {
                while (end > from && PythonText.isSpace(source.charAt(end - 1))) {
                    end--;
                }
            } else if (sign != '+' && stripsLine) {
                end = withoutIndent(from, to);
            }
        }
        if (end > from) {
            add(Token.Kind.DATA, source.substring(from, end), null);
        }
    }

    private int withoutIndent(int from, int to) {
        int lineStart = source.lastIndexOf('\n', to - 1) + 1;
        if (lineStart <= from) {
            lineStart = from;
            if (!lineStarts) {
                return to;
            }
        }
        for (int i = lineStart; i < to; i++) {
            if (!PythonText.isSpace(source.charAt(i))) {
                return to;
            }
        }
        return lineStart;
    }

    private void comment() {
        int end = source.indexOf("#}", at + 2);
        if (end < 0) {
            throw problem("a comment without '#}'");
        }
        at = afterTag(end + 2, source.charAt(end - 1), true);
    }

    /** Where the text after a tag goes on. */
    private int afterTag(int end, char sign, boolean trims) {
        int next = end;
        if (sign == '-') {
            while (next < source.length() && PythonText.isSpace(source.charAt(next))) {
                next++;
            }
        } else if (sign != '+' && trims && next < source.length() && source.charAt(next) == '\n') {
            next++;
        }
        lineStarts = next > 0 && source.charAt(next - 1) == '\n';
        return next;
    }

    private void raw(int bodyStart) {
        Matcher end = RAW_END.matcher(source);
        if (!end.find(bodyStart)) {
            throw problem("{% raw %} without {% endraw %}");
        }
        lineStarts = source.charAt(bodyStart - 1) == '\n';
        data(bodyStart, end.start(), end.start(), true);
        at = end.end();
        lineStarts = source.charAt(at - 1) == '\n';
    }

    private void tag(Token.Kind begin, Token.Kind end, String closing) {
        add(begin, source.substring(at, at + 2), null);
        at += 2;
        if (at < source.length() && (source.charAt(at) == '-' || source.charAt(at) == '+')) {
            at++;
        }
        int depth = 0;
        while (true) {
            while (at < source.length() && PythonText.isSpace(source.charAt(at))) {
                at++;
            }
            if (at >= source.length()) {
                throw problem("a tag without '" + closing + "'");
            }
            char sign = source.charAt(at);
            boolean signed = (sign == '-' || sign == '+' && begin == Token.Kind.BLOCK_BEGIN) && source.startsWith(closing, at + 1);
            if (depth == 0 && (signed || source.startsWith(closing, at))) {
                add(end, closing, null);
                at = afterTag(at + (signed ? 3 : 2), signed ? sign : ' ', begin == Token.Kind.BLOCK_BEGIN);
                return;
            }
            depth += inTag();
        }
    }

    /** One token inside a tag; the change of the bracket depth. */
    private int inTag() {
        char c = source.charAt(at);
        if (c == '\'' || c == '"') {
            string(c);
            return 0;
        }
        if (c >= '0' && c <= '9') {
            at = NumberLexer.read(source, at, (kind, text, value) -> add(kind, text, value), this::problem);
            return 0;
        }
        if (Character.isUnicodeIdentifierStart(source.codePointAt(at)) || c == '_') {
            int end = at;
            while (end < source.length() && (Character.isUnicodeIdentifierPart(source.codePointAt(end)) && !Character.isIdentifierIgnorable(source.codePointAt(end)))) {
                end += Character.charCount(source.codePointAt(end));
            }
            add(Token.Kind.NAME, source.substring(at, end), null);
            at = end;
            return 0;
        }
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                add(Token.Kind.OPERATOR, operator, null);
                at += operator.length();
                return "([{".contains(operator) ? 1 : ")]}".contains(operator) ? -1 : 0;
            }
        }
        throw problem("unexpected character '" + Character.toString(source.codePointAt(at)) + "'");
    }

    private void string(char quote) {
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw problem("a string without its closing " + quote);
        }
        add(Token.Kind.STRING, StringEscapes.decode(source.substring(at + 1, end), this::problem), null);
        at = end + 1;
    }

    private void add(Token.Kind kind, String text, Object value) {
        tokens.add(new Token(kind, text, value, currentLine()));
    }

    private int currentLine() {
        for (; counted < at && counted < source.length(); counted++) {
            line += source.charAt(counted) == '\n' ? 1 : 0;
        }
        return line;
    }

    private TemplateException problem(String message) {
        return TemplateException.at(currentLine(), message);
    }
}
