"""Questions that tests ask a page in a browser."""

# Texts of which a part is outside the window, or outside an element that cuts it off. Text that an ellipsis ends is
# marked as such; areas that scroll are not asked.
CLIPPED = """() => {
    const cut = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode, parent = node.parentElement, range = document.createRange();
        if (!node.data.trim() || !parent.checkVisibility() || parent.closest(".hidden")) continue;
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            if (box.width < 1) continue;
            let edges = { left: 0, right: innerWidth }, how = "the window", element = parent;
            for (; element !== document.documentElement; element = element.parentElement) {
                const style = getComputedStyle(element);
                if (style.overflowX === "visible" || style.display === "inline") continue;
                edges = element.getBoundingClientRect();
                how = style.overflowX === "auto" ? "" : style.textOverflow === "ellipsis" ? "(ellipsis)" : "hidden";
                break;
            }
            if (how && (box.left < edges.left - 1 || box.right > edges.right + 1)) {
                cut.push(`${node.data.trim().slice(0, 40)} ${how}`);
            }
        }
    }
    return [...new Set(cut)];
}"""
