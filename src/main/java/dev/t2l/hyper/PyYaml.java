package dev.t2l.hyper;

import java.util.Map;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.representer.Representer;
import org.yaml.snakeyaml.resolver.Resolver;

/** YAML as Python's yaml.dump writes it and yaml.safe_load reads it: plain data only, within limits. */
final class PyYaml {
    private static final int MAX_CODE_POINTS = 1 << 24;
    private static final int MAX_DEPTH = 64;
    private static final int MAX_ALIASES = 10_000;
    private static final int MAX_DIGITS = 1024;

    private PyYaml() {
    }

    /**
     * The document in {@code text}: maps, lists, strings, numbers, booleans, null.
     *
     * @throws YAMLException if it is no single YAML document of plain data
     */
    static Object load(String text) {
        return yaml().load(text);
    }

    /** Block style, keys in the order of the map. */
    static String dump(Map<String, Object> values) {
        return yaml().dump(values);
    }

    private static Yaml yaml() {
        var loading = new LoaderOptions();
        loading.setCodePointLimit(MAX_CODE_POINTS);
        loading.setNestingDepthLimit(MAX_DEPTH);
        loading.setMaxAliasesForCollections(MAX_ALIASES);
        loading.setAllowDuplicateKeys(false);
        var dumping = new DumperOptions();
        dumping.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
        return new Yaml(new BoundedConstructor(loading), new Representer(dumping), dumping, loading, new PythonResolver());
    }

    /** Refuses integers whose digits alone would keep a processor busy. */
    private static final class BoundedConstructor extends SafeConstructor {
        BoundedConstructor(LoaderOptions options) {
            super(options);
            yamlConstructors.put(Tag.INT, new ConstructYamlInt() {
                @Override
                public Object construct(Node node) {
                    int digits = ((ScalarNode) node).getValue().length();
                    if (digits > MAX_DIGITS) {
                        throw new YAMLException("an integer of " + digits + " digits at" + node.getStartMark());
                    }
                    return super.construct(node);
                }
            });
        }
    }

    /** To Python a float has a point, and a sign in its exponent: {@code 12e3} is text. */
    private static final class PythonResolver extends Resolver {
        private static final Pattern PYTHON_FLOAT = Pattern.compile("[-+]?[0-9][0-9_]*\\.[0-9_]*(?:[eE][-+][0-9]+)?"
                + "|\\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
                + "|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\\.[0-9_]*"
                + "|[-+]?\\.(?:inf|Inf|INF)|\\.(?:nan|NaN|NAN)");

        @Override
        protected void addImplicitResolvers() {
            addImplicitResolver(Tag.BOOL, BOOL, "yYnNtTfFoO", 10);
            addImplicitResolver(Tag.INT, INT, "-+0123456789");
            addImplicitResolver(Tag.FLOAT, PYTHON_FLOAT, "-+0123456789.");
            addImplicitResolver(Tag.MERGE, MERGE, "<", 10);
            addImplicitResolver(Tag.NULL, NULL, "~nN\0", 10);
            addImplicitResolver(Tag.NULL, EMPTY, null, 10);
            addImplicitResolver(Tag.TIMESTAMP, TIMESTAMP, "0123456789", 50);
        }
    }
}
