"""Read a drawing back: what dot itself makes of the text, never by patterns."""

import html
import json
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass


@dataclass
class Parsed:
    nodes: dict  # id → attributes
    edges: list  # attributes, with tail and head as ids
    clusters: dict  # id → label
    inside: dict  # id of a node → ids of the clusters around it
    note: str

    def rows(self, id):
        return rows(self.nodes[id]["label"])

    def title(self, id):
        return self.rows(id)[0]

    def ends(self):
        return sorted((edge["tail"], edge["head"]) for edge in self.edges)


def rows(label):
    """The lines of text in an HTML-like label."""
    lines = [""]
    for element in ElementTree.fromstring(f"<label>{label}</label>").iter():
        if element.tag == "br":
            lines.append("")
        else:
            lines[-1] += element.text or ""
        lines[-1] += element.tail or ""
    return [line for line in lines if line]


def parsed(dot, drawing):
    run = subprocess.run(
        [dot, "-Tdot_json"], input=drawing.source.encode(), capture_output=True, check=True
    )
    assert run.stderr == b""
    graph = json.loads(run.stdout)
    objects = graph.get("objects", [])
    nodes, clusters, inside = {}, {}, {}
    ids = {o["_gvid"]: o.get("id", o["name"]) for o in objects}
    for o in objects:
        if "nodes" not in o:
            nodes[ids[o["_gvid"]]] = o
    for o in objects:
        if o["name"].startswith("cluster"):
            clusters[o["id"]] = html.unescape(o["label"])
            for gvid in o.get("nodes", []):
                inside.setdefault(ids[gvid], []).append(o["id"])
    nodes.pop("legend", None)
    note = nodes.pop("note", {}).get("label", "")
    edges = [{**e, "tail": ids[e["tail"]], "head": ids[e["head"]]} for e in graph.get("edges", [])]
    return Parsed(nodes, edges, clusters, inside, note)
