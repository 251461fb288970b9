package dev.t2l.text.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** {@code namespace(...)}: the one value whose attributes a template may set. */
final class Namespace {
    final Map<String, Object> attributes = new LinkedHashMap<>();
}
