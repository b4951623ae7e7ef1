// A parsed settings document: YAML's tree with the place each value came from. Keeps yaml-cpp out
// of the headers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgcourier::config {

struct Entry;

struct Key {
  std::string name;
  std::string origin;  // as Node::origin
};

struct Node {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string text;         // scalar: after ${…} replacement
  std::string written;      // scalar: as written, without what ${…} stood for; fit for messages
  std::string origin;       // "shop.yaml:3:5", "--set source.slot" or "PGCOURIER_SOURCE__SLOT"
  bool from_file = false;   // a ${file:…} was replaced: taken for a secret
  std::vector<Node> items;  // list
  std::vector<Entry> entries;  // map, in the order written

  const Node* find(std::string_view name) const;
  Node* find(std::string_view name);
};

struct Entry {
  Key key;
  Node value;
};

// Throws SettingsError with `name`:line:column for what is not YAML, a duplicate key or more than
// one document. An empty document is null.
Node parse_document(std::string_view text, const std::string& name);

// YAML that parses to the same tree.
std::string emit_document(const Node& node);

}  // namespace pgcourier::config
