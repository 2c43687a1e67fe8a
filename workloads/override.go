package workloads

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Set changes one field of the recipe: "optimizer.lr=0.05", the value as YAML
// has it, so that a list is written [1, 2]. The recipe is not validated.
func (r *Recipe) Set(assignment string) error {
	key, text, ok := strings.Cut(assignment, "=")
	if !ok || key == "" {
		return fmt.Errorf("%q: want KEY=VALUE, as in optimizer.lr=0.05", assignment)
	}
	field, path := reflect.ValueOf(r).Elem(), ""
	for _, name := range strings.Split(key, ".") {
		if field.Kind() != reflect.Struct {
			return fmt.Errorf("%s: %s has no fields of its own", key, path)
		}
		next, ok := fieldByKey(field, name)
		if !ok {
			of := "a recipe"
			if path != "" {
				of = path
			}
			return fmt.Errorf("%s: %s has no field %q; it has %s", key, of, name, strings.Join(keysOf(field.Type()), ", "))
		}
		field, path = next, strings.TrimPrefix(path+"."+name, ".")
	}
	if field.Kind() == reflect.Struct {
		return fmt.Errorf("%s: want one of its fields, as in %s.%s=VALUE; it has %s", key, key, keysOf(field.Type())[0], strings.Join(keysOf(field.Type()), ", "))
	}
	value := reflect.New(field.Type())
	if err := decodeField([]byte(text), value.Interface()); err != nil {
		return fmt.Errorf("%s: %q: want %s", key, text, wanted(field.Type()))
	}
	field.Set(value.Elem())
	return nil
}

// decodeField wants a value: none at all would leave the field as it is.
func decodeField(text []byte, into any) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return fmt.Errorf("nothing is given")
	}
	return yaml.Load(text, into, yaml.WithKnownFields())
}

func fieldByKey(s reflect.Value, key string) (reflect.Value, bool) {
	for i := range s.NumField() {
		if yamlKey(s.Type().Field(i)) == key {
			return s.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) (list []string) {
	for i := range t.NumField() {
		list = append(list, yamlKey(t.Field(i)))
	}
	return list
}

func yamlKey(f reflect.StructField) string { return f.Tag.Get("yaml") }

// wanted describes the values of a field's type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Float64:
		return "a number"
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a word"
	}
	if t.Elem().Kind() == reflect.Struct {
		return "a list of " + "{" + strings.Join(keysOf(t.Elem()), ": …, ") + ": …}"
	}
	return "a list, as in [1, 2]"
}

// Keys lists what Set takes, in the order of the fields.
func Keys() []string { return keysUnder("", reflect.TypeFor[Recipe]()) }

func keysUnder(prefix string, t reflect.Type) (list []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type.Kind() == reflect.Struct {
			list = append(list, keysUnder(prefix+yamlKey(f)+".", f.Type)...)
		} else {
			list = append(list, prefix+yamlKey(f))
		}
	}
	return list
}

// Digest is the SHA-256, in hexadecimal, of what steers the recipe's steps but
// the data.
func (r *Recipe) Digest() string {
	c := *r
	c.Data = ""
	sum := sha256.Sum256([]byte(recipeText(c)))
	return hex.EncodeToString(sum[:])
}

// Fields is the recipe as it takes effect, by the names of its YAML file. What
// is off is left out.
func (r *Recipe) Fields() map[string]any { return fieldsOf(reflect.ValueOf(*r)).(map[string]any) }

func fieldsOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				m[yamlKey(v.Type().Field(i))] = fieldsOf(f)
			}
		}
		return m
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = fieldsOf(v.Index(i))
		}
		return list
	case reflect.String: // of a type of its own or not
		return v.String()
	}
	return v.Interface()
}
