package dev.t2l.text;

import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Which tokens may be read where in a prompt: a control token or a marker of the template only from the template's own characters. */
final class PromptPermission implements AddedTokens.Permission {
    private final BitSet data = new BitSet();
    private final Set<String> markers = new HashSet<>(SpecialIds.TURN_ENDS);

    private PromptPermission() {
    }

    static PromptPermission of(List<Segment> segments, AddedTokens added) {
        PromptPermission permission = new PromptPermission();
        int at = 0;
        for (Segment segment : segments) {
            int end = at + segment.text().length();
            if (segment.template()) {
                added.find(segment.text(), (token, s, e) -> looksLikeMarker(token)).forEach(match -> permission.markers.add(match.token().content()));
            } else {
                permission.data.set(at, end);
            }
            at = end;
        }
        return permission;
    }

    private static boolean looksLikeMarker(AddedToken token) {
        return token.content().startsWith("<") || token.content().startsWith("[");
    }

    @Override
    public boolean isMarker(AddedToken token) {
        return token.special() || markers.contains(token.content());
    }

    @Override
    public boolean allows(AddedToken token, int start, int end) {
        int firstData = data.nextSetBit(start);
        return !isMarker(token) || firstData < 0 || firstData >= end;
    }
}
