#include "config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

// Aliases repeat what they name; this keeps a few lines of them from becoming gigabytes.
constexpr std::size_t most_nodes = 20'000;
constexpr std::size_t longest_document = 4 * MiB;

// From yaml-cpp's events: its own tree takes duplicate keys silently.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& name) : name_(name) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(mark, "a second document begins here; there may be one only");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, make(mark, Node::Kind::null), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end()) fail(mark, "the alias is inside of what it names");
    count(mark, named->second);
    add(mark, named->second, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(mark, Node::Kind::scalar);
    node.text = node.written = value;
    add(mark, std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_.push_back({make(mark, Node::Kind::list), mark, anchor, std::nullopt});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_.push_back({make(mark, Node::Kind::map), mark, anchor, std::nullopt});
  }
  void OnMapEnd() override { close(); }

  Node take() { return std::move(root_); }

  std::string place(const YAML::Mark& mark) const {
    return mark.is_null() ? name_ : fmt::format("{}:{}:{}", name_, mark.line + 1, mark.column + 1);
  }

 private:
  struct Open {
    Node node;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    std::optional<Key> key;  // of the map entry whose value comes next
  };

  [[noreturn]] void fail(const YAML::Mark& mark, std::string_view problem) const {
    throw SettingsError(fmt::format("{}: {}", place(mark), problem));
  }

  void count(const YAML::Mark& mark, const Node& node) {
    if (++nodes_ > most_nodes) fail(mark, "the document is too large");
    for (const Node& item : node.items) count(mark, item);
    for (const auto& [key, value] : node.entries) count(mark, value);
  }

  Node make(const YAML::Mark& mark, Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.origin = place(mark);
    count(mark, node);
    return node;
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(closed.mark, std::move(closed.node), closed.anchor);
  }

  void add(const YAML::Mark& mark, Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.key) {
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    } else {
      parent.key = key_of(mark, node, parent.node);
    }
  }

  Key key_of(const YAML::Mark& mark, const Node& node, const Node& map) const {
    if (node.kind == Node::Kind::list || node.kind == Node::Kind::map) {
      fail(mark, "a key must be a plain word");
    }
    // `null:` without quotes is YAML's null; here it names the sink.
    Key key = {node.kind == Node::Kind::null ? "null" : node.text, node.origin};
    for (const auto& [earlier, value] : map.entries) {
      if (earlier.name == key.name) {
        fail(mark, fmt::format("the key {} is there twice, first at {}", key.name, earlier.origin));
      }
    }
    return key;
  }

  const std::string& name_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  Node root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
};

void emit(YAML::Emitter& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      out << YAML::Null;
      return;
    case Node::Kind::scalar:
      out << node.text;
      return;
    case Node::Kind::list:
      if (node.items.empty()) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Node& item : node.items) emit(out, item);
      out << YAML::EndSeq;
      return;
    case Node::Kind::map:
      if (node.entries.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [key, value] : node.entries) {
        out << YAML::Key << key.name << YAML::Value;
        emit(out, value);
      }
      out << YAML::EndMap;
      return;
  }
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.key.name == name; });
  return found == entries.end() ? nullptr : &found->value;
}

Node* Node::find(std::string_view name) {
  return const_cast<Node*>(std::as_const(*this).find(name));
}

Node parse_document(std::string_view text, const std::string& name) {
  if (text.size() > longest_document) throw SettingsError(name + ": the document is too large");
  TreeBuilder builder(name);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw SettingsError(fmt::format("{}: not YAML: {}", builder.place(error.mark), error.msg));
  }
  return builder.take();
}

std::string emit_document(const Node& node) {
  YAML::Emitter out;
  emit(out, node);
  return std::string(out.c_str()) + "\n";
}

}  // namespace pgcourier::config
