// `source.tables`: which of the publication's tables become events.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgcourier::cdc {

// A pattern that can't be used; what() says which and why.
class FilterError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Patterns match the whole of "schema.table", case-sensitively: globs (`*` any run of characters,
// `?` one) or, after `re:`, RE2 regular expressions. No pattern at all: every table passes.
class TableFilter {
 public:
  // Throws FilterError.
  explicit TableFilter(const std::vector<std::string>& patterns);
  TableFilter(TableFilter&&) noexcept;
  TableFilter& operator=(TableFilter&&) noexcept;
  ~TableFilter();

  bool passes(std::string_view schema, std::string_view table) const;

 private:
  struct Patterns;
  std::unique_ptr<Patterns> patterns_;
};

}  // namespace pgcourier::cdc
