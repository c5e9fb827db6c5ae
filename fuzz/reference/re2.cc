// RE2 itself, behind two functions of C, for the fuzz target that compares with it.
#include <re2/re2.h>

#include <cstddef>

extern "C" {

// The compiled pattern; null where RE2 refuses it, and then whether only for its size.
void* reference_new(const char* pattern, std::size_t len, bool* too_large) {
  auto* regex = new RE2(re2::StringPiece(pattern, len), RE2::Quiet);
  *too_large = regex->error_code() == RE2::ErrorPatternTooLarge || regex->error_code() == RE2::ErrorRepeatSize;
  if (regex->ok()) return regex;
  delete regex;
  return nullptr;
}

void reference_delete(void* regex) { delete static_cast<RE2*>(regex); }

// Bit 0: the whole text matches; bit 1: the pattern occurs in it.
int reference_match(const void* regex, const char* text, std::size_t len) {
  const auto& re2 = *static_cast<const RE2*>(regex);
  const re2::StringPiece piece(text, len);
  return (RE2::FullMatch(piece, re2) ? 1 : 0) | (RE2::PartialMatch(piece, re2) ? 2 : 0);
}

}  // extern "C"
