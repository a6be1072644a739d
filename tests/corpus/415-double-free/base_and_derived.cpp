/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * The destructor of a derived class deletes a member that that of the base class deletes as
 * well. */
#include "../corpus.h"
struct Widget {
    char *label = new char[40];
    virtual ~Widget() { delete[] label; }
};
struct Button : Widget {
    ~Button() override {
        seen(label);
        if (DEFECT(true, false)) delete[] static_cast<char *>(hidden(label));
    }
};

int main() {
    Widget *widget = new Button;
    strcpy(widget->label, "press");
    printf("%s\n", widget->label);
    delete static_cast<Widget *>(hidden(widget));
}
