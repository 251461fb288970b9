package dev.t2l.text.jinja;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;

/** Python's tuple: a list that prints with round brackets and equals no list. */
final class Tuple extends AbstractList<Object> {
    private final List<Object> elements;

    Tuple(List<?> elements) {
        this.elements = new ArrayList<>(elements);
    }

    static Tuple of(Object first, Object second) {
        List<Object> pair = new ArrayList<>();
        pair.add(first);
        pair.add(second);
        return new Tuple(pair);
    }

    @Override
    public Object get(int index) {
        return elements.get(index);
    }

    @Override
    public int size() {
        return elements.size();
    }
}
