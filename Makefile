# For the fingers: every target is a verb of ./dev.
.DEFAULT_GOAL = build
VERBS = setup build demo demo-python python test bench bench-json lint format interop fuzz ci ci-full s3-server install clean help
.PHONY: $(VERBS)
$(VERBS):
	@./dev $@
